-- Stops the screen recording. Arguments: what to call the video, or nothing.
-- Prints: an empty line, then the path of the video.

on run argv
	set videoName to item 1 of argv
	if videoName is "" then set videoName to "Screen recording"
	set video to (POSIX path of (path to movies folder)) & videoName & ".mov"
	with timeout of 50 seconds
		tell application "QuickTime Player"
			stop document 1
			save document 1 in POSIX file video
			close document 1
		end tell
	end timeout
	return linefeed & video
end run
