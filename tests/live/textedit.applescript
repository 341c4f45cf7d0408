-- Asks TextEdit for the number of its documents. Arguments: none. Prints: an empty line, then the number.

on run argv
	with timeout of 20 seconds
		tell application "TextEdit" to set theAnswer to count of documents
	end timeout
	return linefeed & theAnswer
end run
