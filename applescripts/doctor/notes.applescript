-- Asks Notes for the number of its folders, so that macOS says whether Notes may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Notes" to set theAnswer to count of folders
	end timeout
	return linefeed & theAnswer
end run
