-- Sets the desktop wallpaper. Arguments: the name or the path of a picture.
-- Prints: an empty line, then the result.

on run argv
	set wanted to item 1 of argv
	with timeout of 20 seconds
		tell application "System Events"
			set picturePath to ""
			if wanted starts with "/" or wanted starts with "~" then
				set picturePath to POSIX path of disk item wanted
			else
				repeat with place in {POSIX path of pictures folder, "/System/Library/Desktop Pictures"}
					repeat with fileName in (get name of every file of folder (contents of place))
						if picturePath is "" and (contents of fileName) starts with wanted then
							set picturePath to (contents of place) & "/" & (contents of fileName)
						end if
					end repeat
				end repeat
			end if
			if picturePath is "" then error "No such picture"
			set picture of every desktop to picturePath
		end tell
	end timeout
	return linefeed & "Wallpaper changed"
end run
