-- Asks Finder for the name of the home folder, so that macOS says whether Finder may be controlled, or asks the user.
-- Arguments: none. Prints: an empty line, then the answer. Changes nothing.

on run argv
	with timeout of 20 seconds
		tell application "Finder" to set theAnswer to name of home
	end timeout
	return linefeed & theAnswer
end run
