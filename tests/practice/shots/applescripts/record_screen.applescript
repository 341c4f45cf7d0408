-- Starts a screen recording. Arguments: screen or window; true or false for the microphone.
-- Prints: an empty line, then the result.

on run argv
	set area to item 1 of argv
	set withMicrophone to item 2 of argv is in {"true", "True", "1"}
	with timeout of 20 seconds
		if area is "window" then
			-- QuickTime films the whole screen, so everything but the app in front is hidden
			tell application "System Events"
				repeat with p in (get every application process)
					if visible of p and not (frontmost of p) then set visible of p to false
				end repeat
			end tell
		end if
		tell application "QuickTime Player"
			set recording to new screen recording
			if withMicrophone then set current microphone of recording to audio recording device 1
			start recording
		end tell
	end timeout
	return linefeed & "Recording started"
end run
