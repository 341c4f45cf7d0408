-- Writes a reply to the message that is selected in Mail and saves it in Drafts. Nothing is sent.
-- Arguments: copies (their number, then addresses); text; attachments (their number, then paths).
-- Prints: line 1 the draft's Message-ID (the handle for undo, empty when Mail was slow to show it), then a sentence.
-- Errors: 20002 several messages are selected (one subject a line); 20003 none is; 20005 Mail made no reply.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theCopies to nextList()
	set theText to nextText()
	set theFiles to filesOf(nextList())

	with timeout of 25 seconds
		tell application "Mail"
			set theSelection to selection
			if class of theSelection is not list or (count of theSelection) is 0 then error "no email is selected in Mail" number 20003
			if (count of theSelection) > 1 then
				set theSubjects to {}
				repeat with theMessage in theSelection
					set end of theSubjects to subject of theMessage
				end repeat
				error my joined(theSubjects) number 20002
			end if
			set theMessage to item 1 of theSelection
			set knownIds to id of every message of drafts mailbox
			-- Without a window: with one, Mail owns the text and forgets what a script sets.
			set theDraft to reply theMessage without opening window
			if theDraft is missing value then error "Mail made no reply" number 20005
			-- A reply without text of its own keeps the quotation that Mail makes.
			if theText is not "" or (count of theFiles) > 0 then
				set originalText to (content of theMessage) as text
				set content of theDraft to theText & my quotationOf(sender of theMessage, originalText)
			end if
			tell theDraft
				repeat with theAddress in theCopies
					make new cc recipient at end of cc recipients with properties {address:(contents of theAddress)}
				end repeat
				repeat with theFile in theFiles
					tell content to make new attachment with properties {file name:(contents of theFile)} at after last paragraph
				end repeat
			end tell
			if (count of theFiles) > 0 then delay 2 -- Mail attaches in the background and tells nobody when it has
			set theSubject to subject of theDraft
			save theDraft
			try
				close theDraft saving yes -- an open, invisible message would stay behind
			end try
		end tell
	end timeout
	return handleOf(theSubject, knownIds) & linefeed & "Draft saved"
end run

-- The original under the new text: Mail shows its own quotation to people only, a script that sets the text must add it.
on quotationOf(theSender, theText)
	set theLines to paragraphs of theText
	set AppleScript's text item delimiters to linefeed & "> "
	set theQuotation to theLines as text
	set AppleScript's text item delimiters to ""
	return linefeed & linefeed & theSender & ":" & linefeed & "> " & theQuotation
end quotationOf

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

-- Aliases, made here because Mail may read a file only when it is handed one; a path that leads nowhere stops the step.
on filesOf(thePaths)
	set theFiles to {}
	repeat with thePath in thePaths
		set end of theFiles to (POSIX file (contents of thePath)) as alias
	end repeat
	return theFiles
end filesOf

-- The Message-ID of the draft that was not there before, "" if it stays away: Mail saves in the background, so look again
-- for two seconds. Message numbers change whenever a draft is saved anew, its Message-ID does not.
on handleOf(theSubject, knownIds)
	repeat 5 times
		with timeout of 25 seconds
			tell application "Mail"
				set theIds to id of every message of drafts mailbox
				repeat with i from 1 to (count of theIds)
					if knownIds does not contain {item i of theIds} then
						if subject of message i of drafts mailbox is theSubject then return message id of message i of drafts mailbox
					end if
				end repeat
			end tell
		end timeout
		delay 0.4
	end repeat
	return ""
end handleOf

on joined(theTexts)
	set AppleScript's text item delimiters to linefeed
	set theText to theTexts as text
	set AppleScript's text item delimiters to ""
	return theText
end joined
