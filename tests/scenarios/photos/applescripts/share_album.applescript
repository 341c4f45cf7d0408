-- Shares an album by my shortcut "Share Album": Photos can't do it from a script.
-- Arguments: album; people (how many, then their email addresses).
-- Prints: an empty line, then a sentence. Errors: 20004 nobody is named.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theAlbum to nextText()
	set thePeople to nextList()
	if (count of thePeople) is 0 then error "nobody is named" number 20004
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Share Album" with input ({theAlbum} & thePeople)
	end timeout
	return linefeed & "Album shared"
end run

on nextText()
	set theCursor to theCursor + 1
	return item theCursor of theArguments
end nextText

on nextList()
	set theItems to {}
	repeat ((nextText()) as integer) times
		set end of theItems to nextText()
	end repeat
	return theItems
end nextList
