-- Asks Messages for the number of its accounts, so that macOS says whether Messages may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Messages" to set theAnswer to count of accounts
	end timeout
	return linefeed & theAnswer
end run
