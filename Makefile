# make            builds the module, the daemon and otpctl (release)
# make demo       a login from enrolment to audit on a private machine; KEEP=1 waits
# make test       everything; also test-quick, test-machines, soak, advisories
# make man        the manual pages that are made of otpctl and of the D-Bus interfaces
# make deb        Debian packages in target/deb, built without a network
# make rpm        rpm packages in target/rpm, the same way; RPM_FLAGS="--with quick" for a try
# make vendor     the sources of all dependencies, as Cargo.lock has them, in vendor
# make install    installs what `make` built, below DESTDIR and PREFIX

CARGO ?= $(firstword $(shell command -v cargo) $(HOME)/.cargo/bin/cargo)
CARGO_FLAGS ?= --locked
TARGET = $(or $(CARGO_TARGET_DIR),target)
# What `make` built for this machine: it writes manuals and completions, also of a cross build.
OTPCTL ?= $(TARGET)/release/otpctl

PREFIX ?= /usr
MAN_DIR ?= $(TARGET)/man
SYSCONFDIR ?= /etc
# Where the machine's own PAM looks, message bus and polkit look, whatever PREFIX is.
MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)
PAM_DIR ?= $(or $(patsubst %/pam_unix.so,%,$(firstword $(wildcard $(addsuffix \
	/security/pam_unix.so,/usr/lib/$(MULTIARCH) /lib/$(MULTIARCH) /usr/lib64 /lib64 /usr/lib /lib)))),\
	/usr/lib/security)
PAM_CONFIGS_DIR ?= $(wildcard /usr/share/pam-configs)
DBUS_DIR ?= /usr/share/dbus-1
POLKIT_DIR ?= /usr/share/polkit-1/actions
APPARMOR_DIR ?= $(wildcard /etc/apparmor.d)
ZSH_DIR ?= $(PREFIX)/share/zsh/$(if $(wildcard /etc/debian_version),vendor-completions,site-functions)
DOC_DIR ?= $(PREFIX)/share/doc/otpd

.PHONY: all module demo test test-quick test-machines soak advisories man vendor deb rpm install clean

all: module
	$(CARGO) build $(CARGO_FLAGS) --release -p otpd -p otpctl

# Alone, because Cargo unifies features.
module:
	$(CARGO) build $(CARGO_FLAGS) --release -p pam_otp

demo:
	@KEEP=$(KEEP) demo/run

test:
	@tests/run

test-quick:
	@tests/run unit

test-machines:
	@tests/run packages machines

soak:
	@E2E_SOAK=1 tests/run module daemon e2e packages machines

advisories:
	@tests/run advisories

man:
	rm -rf $(MAN_DIR)
	mkdir -p $(MAN_DIR)
	$(OTPCTL) man $(MAN_DIR)
	xsltproc --nonet --novalid -o $(MAN_DIR)/org.pamotp.Otpd1.5 packaging/man/dbus.xsl \
		packaging/dbus/org.pamotp.Otpd1.Authentication.xml

vendor: vendor/Cargo.lock

# Objects and libraries that crates bring along for other systems are left out, as what is packaged
# is built from source, and test data under a licence that distributions do not take.
vendor/Cargo.lock: Cargo.lock
	rm -rf vendor
	$(CARGO) vendor --locked --quiet vendor >/dev/null
	find vendor -regextype egrep -regex '.*\.(a|dll|exe|ldif|lib|o|wasm)' -delete
	sed -i -E 's/"[^"]+\.(a|dll|exe|ldif|lib|o|wasm)":"[0-9a-f]+",?//g; s/,\}/}/' vendor/*/.cargo-checksum.json
	cp Cargo.lock $@

deb: vendor
	packaging/deb.sh target/deb

rpm: vendor
	packaging/rpm/build target/rpm $(RPM_FLAGS)

# In what is installed, the programs' paths follow PREFIX.
at_prefix = sed 's|/usr/\(s\?bin/otp\)|$(PREFIX)/\1|g' $(1) >$(2)/$(notdir $(1)) && chmod 644 $(2)/$(notdir $(1))

install: man
	install -D -m 644 $(TARGET)/release/libpam_otp.so $(DESTDIR)$(PAM_DIR)/pam_otp.so
	install -D -m 755 $(TARGET)/release/otpd $(DESTDIR)$(PREFIX)/sbin/otpd
	install -D -m 755 $(TARGET)/release/otpctl $(DESTDIR)$(PREFIX)/bin/otpctl
	install -D -m 644 -t $(DESTDIR)$(DBUS_DIR)/system.d packaging/dbus/*.conf
	install -D -m 644 -t $(DESTDIR)$(DBUS_DIR)/system-services packaging/dbus/*.service
	install -D -m 644 -t $(DESTDIR)$(DBUS_DIR)/interfaces packaging/dbus/*.xml
	install -D -m 644 -t $(DESTDIR)$(POLKIT_DIR) packaging/polkit/*.policy
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	$(foreach unit,$(wildcard packaging/systemd/*),\
		$(call at_prefix,$(unit),$(DESTDIR)$(PREFIX)/lib/systemd/system) &&) :
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/sysusers.d packaging/sysusers/*.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/tmpfiles.d packaging/tmpfiles/*.conf
ifneq ($(PAM_CONFIGS_DIR),)
	install -D -m 644 -t $(DESTDIR)$(PAM_CONFIGS_DIR) packaging/pam-configs/*
endif
ifneq ($(APPARMOR_DIR),)
	install -d $(DESTDIR)$(APPARMOR_DIR)
	$(call at_prefix,packaging/apparmor/usr.sbin.otpd,$(DESTDIR)$(APPARMOR_DIR))
endif
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/otpd $(DESTDIR)$(SYSCONFDIR)/otpd/otpd.d
	test -e $(DESTDIR)$(SYSCONFDIR)/otpd/otpd.toml || \
		install -m 644 packaging/otpd.toml $(DESTDIR)$(SYSCONFDIR)/otpd/otpd.toml
	install -D -m 644 -t $(DESTDIR)$(DOC_DIR) README.md packaging/otpd.toml.example
	install -D -m 644 -t $(DESTDIR)$(DOC_DIR)/recipes packaging/recipes/*.toml
	for page in packaging/man/*.[1-8] $(MAN_DIR)/*.[1-8]; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man$${page##*.} $$page || exit 1; \
	done
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(ZSH_DIR) \
		$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	$(OTPCTL) completions bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/otpctl
	$(OTPCTL) completions zsh >$(DESTDIR)$(ZSH_DIR)/_otpctl
	$(OTPCTL) completions fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/otpctl.fish

clean:
	$(CARGO) clean
