-- Undoes create_reminder. Argument: the reminder's id.
-- Prints: an empty line, then a sentence. Errors: 20001 the reminder is gone.

on run argv
	set theHandle to item 1 of argv
	with timeout of 25 seconds
		tell application "Reminders"
			if not (exists reminder id theHandle) then error "the reminder is not there any more" number 20001
			delete reminder id theHandle
		end tell
	end timeout
	return linefeed & "Reminder deleted"
end run
