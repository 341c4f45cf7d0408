-- Disconnects Bluetooth devices. Needs blueutil (brew install blueutil).
-- Arguments: devices (their number, then names; 0 for all that are connected); whether to forget them ("true"/"false").
-- Prints: an empty line, then the result. Errors: 20001 no such device.

on run argv
	set theCount to (item 1 of argv) as integer
	set theDevices to {}
	repeat with i from 2 to theCount + 1
		set end of theDevices to item i of argv
	end repeat
	set isForgotten to (item (theCount + 2) of argv) is "true"

	with timeout of 25 seconds
		if theCount is 0 then
			set theLines to do shell script "/opt/homebrew/bin/blueutil --connected | /usr/bin/sed -e 's/^address: //' -e 's/,.*//'"
			set theDevices to paragraphs of theLines
		end if
		repeat with theItem in theDevices
			set theDevice to contents of theItem
			if theDevice is not "" then
				try
					do shell script "/opt/homebrew/bin/blueutil --disconnect " & quoted form of theDevice
					if isForgotten then do shell script "/opt/homebrew/bin/blueutil --unpair " & quoted form of theDevice
				on error
					error "no Bluetooth device is called \"" & theDevice & "\"" number 20001
				end try
			end if
		end repeat
	end timeout
	return linefeed & "Disconnected"
end run
