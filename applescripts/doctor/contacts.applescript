-- Asks Contacts for the number of its people, so that macOS says whether Contacts may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Contacts" to set theAnswer to count of people
	end timeout
	return linefeed & theAnswer
end run
