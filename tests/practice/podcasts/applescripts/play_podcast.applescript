-- Plays an episode. Arguments: show; episode or nothing; minutes of the sleep timer or 0.
-- Prints: an empty line, then the result.

on run argv
	return linefeed & "Playing"
end run
