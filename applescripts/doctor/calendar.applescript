-- Asks Calendar for the number of its calendars, so that macOS says whether Calendar may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Calendar" to set theAnswer to count of calendars
	end timeout
	return linefeed & theAnswer
end run
