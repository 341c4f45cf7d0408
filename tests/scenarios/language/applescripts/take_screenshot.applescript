-- Takes a screenshot. Argument: screen or window (which the user then clicks on).
-- Prints: an empty line, then the path of the picture.

on run argv
	set theMoment to do shell script "/bin/date +%Y%m%d-%H%M%S"
	set thePath to (POSIX path of (path to desktop folder)) & "screenshot " & theMoment & ".png"
	if item 1 of argv is "window" then
		do shell script "/usr/sbin/screencapture -w " & quoted form of thePath
	else
		do shell script "/usr/sbin/screencapture -x " & quoted form of thePath
	end if
	return linefeed & thePath
end run
