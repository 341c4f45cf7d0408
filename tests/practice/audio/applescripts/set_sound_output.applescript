-- Chooses where sound comes out. Needs SwitchAudioSource (brew install switchaudio-osx).
-- Arguments: built_in, wired, bluetooth or screen; whether only alerts are meant ("true"/"false").
-- Prints: an empty line, then the result. Errors: 20001 that output is not there.

property builtInName : "MacBook Pro Speakers"
property wiredName : "External Headphones"
property bluetoothName : "My AirPods Pro"
property screenName : "LG TV"

on run argv
	set theOutput to item 1 of argv
	set onlyAlerts to (item 2 of argv) is "true"
	set theName to builtInName
	if theOutput is "wired" then set theName to wiredName
	if theOutput is "bluetooth" then set theName to bluetoothName
	if theOutput is "screen" then set theName to screenName

	set theKind to "output"
	if onlyAlerts then set theKind to "system"
	with timeout of 25 seconds
		try
			do shell script "/opt/homebrew/bin/SwitchAudioSource -t " & quoted form of theKind & " -s " & quoted form of theName
		on error
			error "the sound can't come out of \"" & theName & "\" now" number 20001
		end try
	end timeout
	return linefeed & "Sound output changed"
end run
