-- Asks Mail for the number of its accounts, so that macOS says whether Mail may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Mail" to set theAnswer to count of accounts
	end timeout
	return linefeed & theAnswer
end run
