-- Switches or dims lights by my shortcut "Set Lights": Home has no scripting dictionary.
-- Arguments: room ("" for all); on or off; brightness in percent (0 for as it was).
-- Prints: an empty line, then a sentence.

on run argv
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Set Lights" with input {item 1 of argv, item 2 of argv, item 3 of argv}
	end timeout
	return linefeed & "Lights set"
end run
