-- Says which song is on. No arguments. Prints: an empty line, then song and artist. Errors: 20001 nothing is playing.

on run argv
	with timeout of 25 seconds
		tell application "Music"
			if player state is not playing then error "nothing is playing" number 20001
			set theSong to name of current track
			set theArtist to artist of current track
		end tell
	end timeout
	return linefeed & theSong & " by " & theArtist
end run
