-- Undoes connect_bluetooth. Arguments: the device's name. Needs blueutil.
-- Prints: an empty line, then the result. Errors: 20001 no such device.

on run argv
	set theDevice to item 1 of argv
	with timeout of 25 seconds
		try
			do shell script "/opt/homebrew/bin/blueutil --disconnect " & quoted form of theDevice
		on error
			error "\"" & theDevice & "\" is not connected" number 20001
		end try
	end timeout
	return linefeed & "Disconnected"
end run
