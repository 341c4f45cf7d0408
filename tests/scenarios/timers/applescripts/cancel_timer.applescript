-- Stops a countdown by my shortcut "Stop Timer". Argument: label ("" for the one that runs).
-- Prints: an empty line, then a sentence.

on run argv
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Stop Timer" with input {item 1 of argv}
	end timeout
	return linefeed & "Timer stopped"
end run
