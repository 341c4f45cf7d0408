-- Asks Reminders for the number of its lists, so that macOS says whether Reminders may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Reminders" to set theAnswer to count of lists
	end timeout
	return linefeed & theAnswer
end run
