-- Keeps notifications quiet by my shortcut "Do Not Disturb".
-- Arguments: minutes; whether calls get through ("true" or "false"). Prints: an empty line, then a sentence.

on run argv
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Do Not Disturb" with input {item 1 of argv, item 2 of argv}
	end timeout
	return linefeed & "Do not disturb is on"
end run
