-- Undoes create_calendar_event. Argument: the event's uid.
-- Prints: an empty line, then a sentence. Errors: 20001 the event is gone.

on run argv
	set theHandle to item 1 of argv
	with timeout of 25 seconds
		tell application "Calendar"
			repeat with i from 1 to (count of calendars)
				if writable of calendar i then
					if exists (event id theHandle of calendar i) then
						delete (event id theHandle of calendar i)
						return linefeed & "Event deleted"
					end if
				end if
			end repeat
		end tell
	end timeout
	error "the event is not on any calendar any more" number 20001
end run
