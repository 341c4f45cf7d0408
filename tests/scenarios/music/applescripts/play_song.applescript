-- Plays a song of the library. Arguments: song ("" for any); artist ("" for any).
-- Prints: an empty line, then a sentence. Errors: 20001 no such song; 20004 nothing is named.

on run argv
	set wantedSong to item 1 of argv
	set wantedArtist to item 2 of argv
	if wantedSong is "" and wantedArtist is "" then error "no song and no artist is named" number 20004
	with timeout of 25 seconds
		tell application "Music"
			set theNames to name of every track of library playlist 1
			set theArtists to artist of every track of library playlist 1
		end tell
	end timeout
	set k to firstMatch(wantedSong, wantedArtist, theNames, theArtists)
	if k is 0 then error "the library has no such song" number 20001
	with timeout of 25 seconds
		tell application "Music" to play track k of library playlist 1
	end timeout
	return linefeed & "Playing " & (item k of theNames) & " by " & (item k of theArtists)
end run

-- Where the first song is whose name and artist hold what is wanted, 0 if nowhere.
on firstMatch(wantedSong, wantedArtist, theNames, theArtists)
	ignoring case and diacriticals
		repeat with i from 1 to (count of theNames)
			if (item i of theNames contains wantedSong) and (item i of theArtists contains wantedArtist) then return i
		end repeat
	end ignoring
	return 0
end firstMatch
