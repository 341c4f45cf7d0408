-- Writes a new note.
-- Arguments: name; content; folder ("" for the usual one).
-- Prints: line 1 the note's id (the handle for undo), then a sentence. Errors: 20001 no such folder.

on run argv
	set noteName to item 1 of argv
	set noteText to item 2 of argv
	set folderName to item 3 of argv
	-- The name is the first line: Notes has no other, and would write it twice if both were given.
	set theBody to paragraphsOf(noteText)
	if noteName is not "" then set theBody to "<div><h1>" & escaped(noteName) & "</h1></div>" & theBody

	with timeout of 25 seconds
		tell application "Notes"
			if folderName is "" then
				set theFolder to default folder of default account
			else
				set folderNames to name of every folder
				set k to my indexOf(folderName, folderNames)
				if k is 0 then error "no folder of notes is called \"" & folderName & "\"" number 20001
				set theFolder to folder k
			end if
			set theNote to make new note at theFolder with properties {body:theBody}
			set theHandle to id of theNote
		end tell
	end timeout
	return theHandle & linefeed & "Note created"
end run

-- Lines of text as paragraphs of HTML, which is what Notes stores; marks that HTML would read are escaped.
on paragraphsOf(theText)
	set theBody to ""
	repeat with theLine in paragraphs of theText
		set lineText to escaped(contents of theLine)
		if lineText is "" then set lineText to "<br>"
		set theBody to theBody & "<div>" & lineText & "</div>"
	end repeat
	return theBody
end paragraphsOf

on escaped(theText)
	repeat with thePair in {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}}
		set AppleScript's text item delimiters to item 1 of thePair
		set theParts to text items of theText
		set AppleScript's text item delimiters to item 2 of thePair
		set theText to theParts as text
	end repeat
	set AppleScript's text item delimiters to ""
	return theText
end escaped

-- Where a text is in a list, 0 if nowhere; upper and lower case are one.
on indexOf(theText, theTexts)
	repeat with i from 1 to (count of theTexts)
		if item i of theTexts is theText then return i
	end repeat
	return 0
end indexOf
