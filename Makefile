# make            builds the module, the daemon and otpctl (release)
# make demo       a login from enrolment to audit on a private machine; KEEP=1 waits
# make test       everything; also test-quick, test-machines, soak, advisories
# make install    installs what `make` built, below DESTDIR

CARGO ?= $(firstword $(shell command -v cargo) $(HOME)/.cargo/bin/cargo)
TARGET = $(or $(CARGO_TARGET_DIR),target)
PREFIX ?= /usr
PAM_DIR ?= $(firstword $(wildcard /usr/lib/*/security /usr/lib64/security) /usr/lib/security)

.PHONY: all demo test test-quick test-machines soak advisories install clean

all:
	$(CARGO) build --locked --release -p pam_otp
	$(CARGO) build --locked --release -p otpd -p otpctl

demo:
	@KEEP=$(KEEP) demo/run

test:
	@tests/run

test-quick:
	@tests/run unit

test-machines:
	@tests/run machines

soak:
	@E2E_SOAK=1 tests/run module daemon e2e

advisories:
	@tests/run advisories

install:
	install -D -m 644 $(TARGET)/release/libpam_otp.so $(DESTDIR)$(PAM_DIR)/pam_otp.so
	install -D -m 755 $(TARGET)/release/otpd $(DESTDIR)$(PREFIX)/sbin/otpd
	install -D -m 755 $(TARGET)/release/otpctl $(DESTDIR)$(PREFIX)/bin/otpctl
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/dbus-1/system.d packaging/dbus/*.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/dbus-1/system-services packaging/dbus/*.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/dbus-1/interfaces packaging/dbus/*.xml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/polkit-1/actions packaging/polkit/*.policy
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system packaging/systemd/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/sysusers.d packaging/sysusers/*.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/tmpfiles.d packaging/tmpfiles/*.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/pam_otp README.md packaging/otpd.toml.example
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/pam_otp/recipes packaging/recipes/*.toml
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 packaging/man/*.8
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	$(TARGET)/release/otpctl man $(DESTDIR)$(PREFIX)/share/man/man1

clean:
	$(CARGO) clean
