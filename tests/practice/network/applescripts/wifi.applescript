-- Made up for a test: wifi.

on run argv
	return linefeed & "done"
end run
