-- Opens a note and reads it.
-- Arguments: name; folder ("" for all). Prints: an empty line, then the note's text.
-- Errors: 20001 no such note or folder; 20002 several notes (one "name (folder)" a line); 20004 the name is empty;
--   20005 the note is locked.

on run argv
	set wantedName to item 1 of argv
	set folderName to item 2 of argv
	set noteId to foundNote(wantedName, folderName)
	with timeout of 25 seconds
		tell application "Notes"
			if password protected of note id noteId then error "the note is locked with a password" number 20005
			set theText to plaintext of note id noteId
			show note id noteId
		end tell
	end timeout
	return linefeed & theText
end run

-- The id of the note of exactly this name; failing that, of the one whose name holds it.
on foundNote(wantedName, folderName)
	if wantedName is "" then error "no note is named" number 20004
	with timeout of 25 seconds
		tell application "Notes"
			if folderName is "" then
				set theNames to name of every note
				set theIds to id of every note
			else
				set folderNames to name of every folder
				set k to my indexOf(folderName, folderNames)
				if k is 0 then error "no folder of notes is called \"" & folderName & "\"" number 20001
				set theNames to name of every note of folder k
				set theIds to id of every note of folder k
			end if
		end tell
	end timeout
	set theMatches to matchesOf(wantedName, theNames)
	if (count of theMatches) is 0 then error "no note is called \"" & wantedName & "\"" number 20001
	if (count of theMatches) is 1 then return item (item 1 of theMatches) of theIds
	set theChoices to {}
	repeat with theMatch in theMatches
		set i to contents of theMatch
		set end of theChoices to (item i of theNames) & folderOf(item i of theIds)
	end repeat
	error joined(theChoices) number 20002
end foundNote

on matchesOf(wantedName, theNames)
	set wholeMatches to {}
	set partMatches to {}
	ignoring case and diacriticals
		repeat with i from 1 to (count of theNames)
			if item i of theNames is wantedName then
				set end of wholeMatches to i
			else if item i of theNames contains wantedName then
				set end of partMatches to i
			end if
		end repeat
	end ignoring
	if (count of wholeMatches) > 0 then return wholeMatches
	return partMatches
end matchesOf

on folderOf(noteId)
	with timeout of 25 seconds
		tell application "Notes" to set folderName to name of container of note id noteId
	end timeout
	return " (" & folderName & ")"
end folderOf

-- Where a text is in a list, 0 if nowhere; upper and lower case are one.
on indexOf(theText, theTexts)
	repeat with i from 1 to (count of theTexts)
		if item i of theTexts is theText then return i
	end repeat
	return 0
end indexOf

on joined(theTexts)
	set AppleScript's text item delimiters to linefeed
	set theText to theTexts as text
	set AppleScript's text item delimiters to ""
	return theText
end joined
