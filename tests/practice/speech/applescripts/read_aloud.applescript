-- Reads a text aloud, in the background, so that it can be stopped.
-- Arguments: text; voice ("" for the usual one); slow, normal or fast.
-- Prints: an empty line, then the result. Errors: 20001 no such voice; 20004 the text is empty.

on run argv
	set theText to item 1 of argv
	set theVoice to item 2 of argv
	set theSpeed to item 3 of argv
	if theText is "" then error "there is nothing to read" number 20004

	set theRate to "180"
	if theSpeed is "slow" then set theRate to "120"
	if theSpeed is "fast" then set theRate to "260"

	with timeout of 25 seconds
		if theVoice is "" then
			do shell script "/usr/bin/say -r " & quoted form of theRate & " -- " & quoted form of theText & " > /dev/null 2>&1 &"
		else
			-- An empty text makes no sound, but fails when the voice is unknown.
			try
				do shell script "/usr/bin/say -v " & quoted form of theVoice & " -- ''"
			on error
				error "no voice is called \"" & theVoice & "\"" number 20001
			end try
			do shell script "/usr/bin/say -v " & quoted form of theVoice & " -r " & quoted form of theRate & " -- " & quoted form of theText & " > /dev/null 2>&1 &"
		end if
	end timeout
	return linefeed & "Reading"
end run
