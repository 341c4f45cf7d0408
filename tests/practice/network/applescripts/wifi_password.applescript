-- Made up for a test: wifi_password.

on run argv
	return linefeed & "done"
end run
