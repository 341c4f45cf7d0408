-- Connects a paired Bluetooth device. Arguments: its name. Needs blueutil (brew install blueutil).
-- Prints: line 1 the device's name (the handle for undo), then the result.
-- Errors: 20001 it could not be connected; 20004 the name is empty.

on run argv
	set theDevice to item 1 of argv
	if theDevice is "" then error "no device is named" number 20004
	with timeout of 25 seconds
		try
			do shell script "/opt/homebrew/bin/blueutil --connect " & quoted form of theDevice
		on error
			error "\"" & theDevice & "\" is not paired or out of reach" number 20001
		end try
	end timeout
	return theDevice & linefeed & "Connected"
end run
