-- Sets how loud Music plays. Argument: level from 0 to 100. Prints: an empty line, then a sentence.
-- Errors: 20004 the level is out of range.

on run argv
	set theLevel to (item 1 of argv) as integer
	if theLevel < 0 or theLevel > 100 then error "the volume goes from 0 to 100" number 20004
	with timeout of 25 seconds
		tell application "Music" to set sound volume to theLevel
	end timeout
	return linefeed & "Volume set to " & theLevel
end run
