-- Sets a reminder.
-- Arguments: name; due date (0 for none, or 3 or 6 followed by year, month, day, hour, minute, second); notes; list ("" for
--   the usual one); priority (0 none, 1 high, 5 medium, 9 low); whether it is due on a day without a time ("true"/"false").
-- Prints: line 1 the reminder's id (the handle for undo), then a sentence. Errors: 20001 no such list.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theTitle to nextText()
	set theDue to nextMoment()
	set theNotes to nextText()
	set listName to nextText()
	set thePriority to (nextText()) as integer
	set isWholeDay to (nextText()) is "true"
	if theDue is not missing value then
		set {dueDate, hasNoTime} to theDue
		set isWholeDay to isWholeDay or hasNoTime
	end if

	with timeout of 25 seconds
		tell application "Reminders"
			if listName is "" then
				set theList to default list
			else
				set listNames to name of every list
				set k to my indexOf(listName, listNames)
				if k is 0 then error "no list of reminders is called \"" & listName & "\"" number 20001
				set theList to list k
			end if
			-- All at once, so that a reminder without its date can't be left behind; the remind date is what makes it ring.
			if theDue is missing value then
				set theReminder to make new reminder at end of reminders of theList with properties {name:theTitle, body:theNotes, priority:thePriority}
			else if isWholeDay then
				set theReminder to make new reminder at end of reminders of theList with properties ¬
					{name:theTitle, body:theNotes, priority:thePriority, allday due date:dueDate}
			else
				set theReminder to make new reminder at end of reminders of theList with properties ¬
					{name:theTitle, body:theNotes, priority:thePriority, due date:dueDate, remind me date:dueDate}
			end if
			set theHandle to id of theReminder
		end tell
	end timeout
	return theHandle & linefeed & "Reminder created"
end run

-- Where a text is in a list, 0 if nowhere; upper and lower case are one.
on indexOf(theText, theTexts)
	repeat with i from 1 to (count of theTexts)
		if item i of theTexts is theText then return i
	end repeat
	return 0
end indexOf

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

-- {date, whether it is a whole day}, or missing value. Built from numbers: no date is ever read from text.
on nextMoment()
	set theParts to nextList()
	if (count of theParts) is 0 then return missing value
	set theDate to current date
	set day of theDate to 1 -- first of all, or a 31st would roll over while the month changes
	set year of theDate to (item 1 of theParts) as integer
	set month of theDate to (item 2 of theParts) as integer
	set day of theDate to (item 3 of theParts) as integer
	set time of theDate to 0
	if (count of theParts) is 3 then return {theDate, true}
	set time of theDate to 3600 * ((item 4 of theParts) as integer) + 60 * ((item 5 of theParts) as integer) + ((item 6 of theParts) as integer)
	return {theDate, false}
end nextMoment
