-- Finds a photo and writes a copy of it into the Pictures folder.
-- Arguments: what is on it ("" for anything); the day (0 for any, or 3 or 6 followed by year, month, day and so on).
-- Prints: an empty line, then the path of the copy. Errors: 20001 no such photo; 20004 neither subject nor day.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theSubject to nextText()
	set theDay to nextList()
	if theSubject is "" and (count of theDay) is 0 then error "neither a subject nor a day is given" number 20004
	set thePhoto to foundPhoto(theSubject, theDay)
	if thePhoto is missing value then error "no such photo" number 20001
	set theFolder to path to pictures folder
	with timeout of 55 seconds
		tell application "Photos"
			set theName to filename of media item id thePhoto
			export {media item id thePhoto} to theFolder
		end tell
	end timeout
	return linefeed & (POSIX path of theFolder) & theName
end run

-- The id of the newest photo that fits, or missing value.
on foundPhoto(theSubject, theDay)
	set theFound to missing value
	with timeout of 55 seconds
		tell application "Photos"
			if theSubject is "" then
				set theItems to media items
			else
				set theItems to search for theSubject
			end if
			repeat with thePhoto in theItems
				if my isOnDay(date of thePhoto, theDay) then set theFound to id of thePhoto
			end repeat
		end tell
	end timeout
	return theFound
end foundPhoto

on isOnDay(theMoment, theDay)
	if (count of theDay) is 0 then return true
	if (year of theMoment) is not (item 1 of theDay) as integer then return false
	if ((month of theMoment) as integer) is not (item 2 of theDay) as integer then return false
	return (day of theMoment) is (item 3 of theDay) as integer
end isOnDay

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
