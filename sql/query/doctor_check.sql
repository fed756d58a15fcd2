-- doctor_check: "ok", or what is wrong first; doctor.c
PRAGMA quick_check(1)
