-- Shows a picture on every desktop. Argument: the path of the picture. Prints: an empty line, then a sentence.

on run argv
	set thePath to item 1 of argv
	with timeout of 25 seconds
		tell application "System Events"
			repeat with i from 1 to (count of desktops)
				set picture of desktop i to thePath
			end repeat
		end tell
	end timeout
	return linefeed & "Wallpaper changed"
end run
