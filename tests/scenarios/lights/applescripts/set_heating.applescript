-- Sets the heating by my shortcut "Set Heating". Arguments: room ("" for all); degrees.
-- Prints: an empty line, then a sentence.

on run argv
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Set Heating" with input {item 1 of argv, item 2 of argv}
	end timeout
	return linefeed & "Heating set"
end run
