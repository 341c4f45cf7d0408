-- Stops, pauses or resumes what read_aloud reads. Arguments: stop, pause or resume.
-- Prints: an empty line, then the result. Errors: 20001 nothing is being read.

on run argv
	set theAction to item 1 of argv
	with timeout of 25 seconds
		try
			if theAction is "pause" then
				do shell script "/usr/bin/killall -STOP say"
				set theResult to "Paused"
			else if theAction is "resume" then
				do shell script "/usr/bin/killall -CONT say"
				set theResult to "Reading"
			else
				do shell script "/usr/bin/killall -KILL say" -- a paused one would not hear a milder signal
				set theResult to "Stopped"
			end if
		on error
			error "nothing is being read" number 20001
		end try
	end timeout
	return linefeed & theResult
end run
