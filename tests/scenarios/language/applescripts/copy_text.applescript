-- Copies words to the clipboard. Argument: the words. Prints: an empty line, then a sentence.

on run argv
	set the clipboard to (item 1 of argv)
	return linefeed & "Copied"
end run
