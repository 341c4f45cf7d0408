-- Adds a to-do to Things. Arguments: title; project ("" for the inbox); deadline (0 for none, or 3 or 6 followed by year,
--   month, day, hour, minute, second).
-- Prints: an empty line, then the result.

on run argv
	set theTitle to item 1 of argv
	set theProject to item 2 of argv
	set hasDeadline to item 3 of argv is not "0"
	if hasDeadline then
		set theDay to current date
		set day of theDay to 1
		set year of theDay to (item 4 of argv) as integer
		set month of theDay to (item 5 of argv) as integer
		set day of theDay to (item 6 of argv) as integer
		set time of theDay to 0
	end if
	with timeout of 20 seconds
		tell application "Things3"
			set newTodo to make new to do with properties {name:theTitle}
			if theProject is not "" then set project of newTodo to project theProject
			if hasDeadline then set due date of newTodo to theDay
		end tell
	end timeout
	return linefeed & "To-do added"
end run
