-- Sets an alarm by my shortcut "Set Alarm".
-- Arguments: time (6, then year, month, day, hour, minute, second); how often (once, daily, weekdays).
-- Prints: an empty line, then a sentence. Errors: 20004 no time of day.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theParts to nextList()
	set howOften to nextText()
	if (count of theParts) is not 6 then error "an alarm needs a time of day" number 20004
	with timeout of 25 seconds
		tell application "Shortcuts Events" to run shortcut "Set Alarm" with input (theParts & {howOften})
	end timeout
	return linefeed & "Alarm set"
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
