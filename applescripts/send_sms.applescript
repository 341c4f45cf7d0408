-- Sends a text message to phone numbers, to each on its own, by iMessage or else by SMS.
-- Arguments: numbers (how many, then the numbers); message.
-- Prints: an empty line, then a sentence. Messages takes a message before it is delivered and reports a number that it
--   can't reach only in its own window: this script can't know of it.
-- Errors: 20001 no account reaches the number; 20004 no number or no message; 20006 sent to some and not to all.

property theArguments : {}
property theCursor : 0

on run argv
	set theArguments to argv
	set theNumbers to nextList()
	set theMessage to nextText()
	if (count of theNumbers) is 0 then error "no phone number is given" number 20004
	if theMessage is "" then error "the message is empty" number 20004
	set sentNumbers to {}
	repeat with oneOfThem in theNumbers
		set theNumber to contents of oneOfThem
		try
			sendTo(theNumber, theMessage)
		on error errorText number errorNumber
			if (count of sentNumbers) is 0 then error errorText number errorNumber
			error "sent to " & joined(sentNumbers) & " and not, or not surely, to " & theNumber & ": " & errorText number 20006
		end try
		set end of sentNumbers to theNumber
	end repeat
	return linefeed & "Message handed to Messages for " & joined(sentNumbers)
end run

-- A participant that an account does not have is error -1728: then the next account is tried. Any other error ends it,
-- because the message may already be on its way.
on sendTo(theNumber, theMessage)
	with timeout of 25 seconds
		tell application "Messages"
			repeat with wantedType in {iMessage, SMS}
				repeat with i from 1 to (count of accounts)
					if enabled of account i and service type of account i is (contents of wantedType) then
						try
							send theMessage to participant theNumber of account i
							return
						on error errorText number errorNumber
							if errorNumber is not -1728 then error errorText number errorNumber
						end try
					end if
				end repeat
			end repeat
		end tell
	end timeout
	error "no account of Messages reaches " & theNumber number 20001
end sendTo

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

on joined(theTexts)
	set AppleScript's text item delimiters to ", "
	set theText to theTexts as text
	set AppleScript's text item delimiters to ""
	return theText
end joined
