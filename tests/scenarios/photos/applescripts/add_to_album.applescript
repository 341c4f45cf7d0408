-- Puts a picture file into an album. Arguments: the path; the album.
-- Prints: an empty line, then a sentence. Errors: 20001 no such album.

on run argv
	set theFile to (POSIX file (item 1 of argv)) as alias
	set wantedAlbum to item 2 of argv
	with timeout of 55 seconds
		tell application "Photos"
			set theNames to name of every album
			set k to my indexOf(wantedAlbum, theNames)
			if k is 0 then error "no album is called \"" & wantedAlbum & "\"" number 20001
			import {theFile} into album k
		end tell
	end timeout
	return linefeed & "Photo added"
end run

-- Where a text is in a list, 0 if nowhere; upper and lower case are one.
on indexOf(theText, theTexts)
	repeat with i from 1 to (count of theTexts)
		if item i of theTexts is theText then return i
	end repeat
	return 0
end indexOf
