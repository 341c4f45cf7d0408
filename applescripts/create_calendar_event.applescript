-- Puts an event on a calendar and invites people to it.
-- Arguments: title; start and end (each 0 for none, or 3 or 6 followed by year, month, day, hour, minute, second);
--   location; invitees (their number, then their addresses); notes; calendar ("" for the first that can be written).
-- Prints: line 1 the event's uid (the handle for undo), then a sentence.
-- Errors: 20001 no such calendar, 20004 a start is missing or the end comes before it.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theTitle to nextText()
	set theStart to nextMoment()
	set theEnd to nextMoment()
	set thePlace to nextText()
	set theInvitees to nextList()
	set theNotes to nextText()
	set calendarName to nextText()
	if theStart is missing value then error "an event needs a start" number 20004
	set {startDate, endDate, isWholeDay} to spanOf(theStart, theEnd)

	with timeout of 25 seconds
		tell application "Calendar"
			set theCalendar to missing value
			repeat with i from 1 to (count of calendars)
				if writable of calendar i and (calendarName is "" or name of calendar i is calendarName) then
					set theCalendar to calendar i
					exit repeat
				end if
			end repeat
			if theCalendar is missing value then error "no calendar that can be written is called \"" & calendarName & "\"" number 20001
			set theEvent to make new event at end of events of theCalendar with properties ¬
				{summary:theTitle, start date:startDate, end date:endDate, allday event:isWholeDay, location:thePlace, description:theNotes}
			try
				repeat with theAddress in theInvitees
					tell theEvent to make new attendee at end of attendees with properties {email:(contents of theAddress)}
				end repeat
			on error errorText number errorNumber
				-- Half an event is none: a calendar without invitations must not keep it. After a timeout nothing is certain.
				if errorNumber is not -1712 then delete theEvent
				error errorText number errorNumber
			end try
			set theHandle to uid of theEvent
		end tell
	end timeout
	return theHandle & linefeed & "Event created"
end run

-- First and last moment. Calendar ends whole days with their last second since macOS 13; without an end it is an hour.
on spanOf(theStart, theEnd)
	set {startDate, startsWhole} to theStart
	if theEnd is missing value then
		if startsWhole then return {startDate, startDate + 86399, true}
		return {startDate, startDate + 3600, false}
	end if
	set {endDate, endsWhole} to theEnd
	if endsWhole then set endDate to endDate + 86399
	if endDate < startDate then error "the event would end before it starts" number 20004
	return {startDate, endDate, startsWhole and endsWhole}
end spanOf

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
