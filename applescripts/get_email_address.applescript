-- Looks up a person's email address in the contacts.
-- Argument: the name. Prints: an empty line, then the email address.
-- Errors: 20001 nobody, or nobody with a address, is called so; 20002 several are (one "name, address" a line);
--   20004 the name is empty.

on run argv
	set wantedName to item 1 of argv
	if wantedName is "" then error "no name is given" number 20004
	with timeout of 25 seconds
		tell application "Contacts"
			-- Three bulk reads: faster on a large store than a filter, and every comparison is ours.
			set theNames to name of every person
			set theNicknames to nickname of every person
			set theIds to id of every person
		end tell
	end timeout

	set theMatches to matchesOf(wantedName, theNames, theNicknames)
	if (count of theMatches) is 0 then error "no contact is called \"" & wantedName & "\"" number 20001
	set theValues to {}
	set theChoices to {}
	repeat with theMatch in theMatches
		set i to contents of theMatch
		set theValue to emailOf(item i of theIds)
		if theValue is not "" and theValues does not contain theValue then
			set end of theValues to theValue
			set end of theChoices to ((item i of theNames) as text) & ", " & theValue
		end if
	end repeat
	if (count of theValues) is 0 then error "\"" & wantedName & "\" has no email address in the contacts" number 20001
	if (count of theValues) > 1 then error joined(theChoices) number 20002
	return linefeed & (item 1 of theValues)
end run

on emailOf(personId)
	with timeout of 25 seconds
		tell application "Contacts" to set theAddresses to value of every email of person id personId
	end timeout
	if (count of theAddresses) is 0 then return ""
	return item 1 of theAddresses
end emailOf

-- Positions of the people whose name or nickname is the wanted one; failing those, of the people whose name has all its words.
on matchesOf(wantedName, theNames, theNicknames)
	set wholeMatches to {}
	set wordMatches to {}
	set wantedWords to words of wantedName
	ignoring case and diacriticals
		repeat with i from 1 to (count of theNames)
			if item i of theNames is wantedName or item i of theNicknames is wantedName then
				set end of wholeMatches to i
			else if holdsAll(item i of theNames, wantedWords) then
				set end of wordMatches to i
			end if
		end repeat
	end ignoring
	if (count of wholeMatches) > 0 then return wholeMatches
	return wordMatches
end matchesOf

on holdsAll(theName, wantedWords)
	if theName is missing value or (count of wantedWords) is 0 then return false
	ignoring case and diacriticals
		set nameWords to words of theName
		repeat with theWord in wantedWords
			if nameWords does not contain {contents of theWord} then return false
		end repeat
	end ignoring
	return true
end holdsAll

on joined(theTexts)
	set AppleScript's text item delimiters to linefeed
	set theText to theTexts as text
	set AppleScript's text item delimiters to ""
	return theText
end joined
