-- Starts a countdown by my shortcut "Start Timer": Clock itself has no scripting dictionary.
-- Arguments: minutes; label ("" for none). Prints: an empty line, then a sentence.

on run argv
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Start Timer" with input {item 1 of argv, item 2 of argv}
	end timeout
	return linefeed & "Timer started"
end run
