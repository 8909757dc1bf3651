<?xml version="1.0" encoding="UTF-8"?>
<!-- Makes org.pamotp.Otpd1(5) of the descriptions of the interfaces in packaging/dbus and of their
     comments; `make man` says how. It reads the interface of logins, and that of administration
     from beside it. A member or an argument without its comment, and a comment on what is not
     there, end it with an error. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns:d="urn:dbus-manual" exclude-result-prefixes="d">
  <xsl:output method="text" encoding="US-ASCII"/>
  <xsl:strip-space elements="node interface method"/>

  <!-- What the errors mean that the comments list by name. -->
  <d:errors>
    <d:error name="AccessDenied">The caller may not do this.</d:error>
    <d:error name="AlreadyShared">The credential has been shared, which it is once.</d:error>
    <d:error name="Busy">Too many calls in flight; try again.</d:error>
    <d:error name="Forbidden">The policy forbids it.</d:error>
    <d:error name="InvalidArgument">An argument is malformed or out of range; the message says which and what is allowed.</d:error>
    <d:error name="InvalidConfiguration">The configuration is invalid; the last good one stays in force. The message has file, line and what is allowed.</d:error>
    <d:error name="LimitReached">There are as many of it as there may be.</d:error>
    <d:error name="NoCredential">The user has no credential of the kind that the call needs.</d:error>
    <d:error name="ProofRequired">The caller has a credential and must prove it: `proof` in the options.</d:error>
    <d:error name="Rejected">The proof or the code was not accepted.</d:error>
    <d:error name="SwitchedOff">The feature is switched off in the configuration.</d:error>
    <d:error name="Unavailable">The store, polkit or a directory does not answer.</d:error>
    <d:error name="UnknownClient">No such client in the register; of Share no such tenant.</d:error>
    <d:error name="UnknownCode">No such issued code.</d:error>
    <d:error name="UnknownSession">No such session, or it belongs to another connection.</d:error>
    <d:error name="UnknownToken">No such token.</d:error>
    <d:error name="UnknownUser">No such user, neither in the store nor in a directory.</d:error>
    <d:error name="WrongState">The token is in a state in which this cannot be done.</d:error>
  </d:errors>

  <xsl:template match="/">
    <xsl:variable name="all" select="/node | document('org.pamotp.Otpd1.Manager.xml', /)/node"/>
    <xsl:text>.TH ORG.PAMOTP.OTPD1 5 "" "pam_otp" "File Formats and Conventions"
.nh
.ad l
.SH NAME
org.pamotp.Otpd1 \- the D\-Bus interfaces of otpd
.SH SYNOPSIS
.nf
bus name    \fBorg.pamotp.Otpd1\fR
object      \fB/org/pamotp/Otpd1\fR
interfaces  \fBorg.pamotp.Otpd1.Authentication\fR
            \fBorg.pamotp.Otpd1.Manager\fR
.fi
.SH DESCRIPTION
.BR otpd (8)
is spoken to over two lanes:
.TP
.I /run/otpd/login.sock
Peer to peer: D\-Bus without a message bus, without
.B Hello
and without names, for root alone.
It has the interface
.BR Authentication ,
and serves the logins of programs that run as root.
.TP
.I /run/dbus/system_bus_socket
The system bus: both interfaces, for everybody.
Whoever logs somebody in here checks that the owner of the bus name is root or
the user
.BR otpd ,
and talks to its unique name.
.PP
A method is told with its arguments, those that go in before the arrow and those
that come out after it, each with its D\-Bus type.
There are no signals.
.B busctl introspect org.pamotp.Otpd1 /org/pamotp/Otpd1
shows the same of a daemon that runs.
</xsl:text>
    <xsl:apply-templates select="$all/interface"/>
    <xsl:text>.SH ERRORS
The names are
.BI org.pamotp.Otpd1.Error. NAME ;
each comes with a message for people.
</xsl:text>
    <xsl:for-each select="document('')/*/d:errors/d:error">
      <xsl:text>.TP&#10;.B </xsl:text>
      <xsl:value-of select="@name"/>
      <xsl:text>&#10;</xsl:text>
      <xsl:call-template name="paragraph">
        <xsl:with-param name="text" select="."/>
      </xsl:call-template>
    </xsl:for-each>
    <xsl:text>.SH FILES
.TP
.I /usr/share/dbus\-1/interfaces/org.pamotp.Otpd1.*.xml
The interfaces as introspection has them, for programs that make proxies.
.TP
.I /usr/share/dbus\-1/system.d/org.pamotp.Otpd1.conf
What the system bus lets through.
.TP
.I /usr/share/polkit\-1/actions/org.pamotp.otpd1.policy
The actions of polkit, and who is asked for which password.
.SH SEE ALSO
.BR busctl (1),
.BR dbus\-daemon (1),
.BR otpctl (1),
.BR otpd.toml (5),
.BR otpd (8),
.BR pam_otp (8),
.BR polkit (8)
</xsl:text>
  </xsl:template>

  <xsl:template match="interface">
    <xsl:variable name="doc">
      <xsl:call-template name="comment"/>
    </xsl:variable>
    <xsl:value-of select="concat('.SH INTERFACE ', @name, '&#10;')"/>
    <xsl:call-template name="overview">
      <xsl:with-param name="lines" select="concat(substring-after($doc, '&#10;'), '&#10;')"/>
    </xsl:call-template>
    <xsl:call-template name="check-errors">
      <xsl:with-param name="names"
        select="concat(substring-before(substring-after($doc, 'org.pamotp.Otpd1.Error.*:'), '.'), ',')"/>
    </xsl:call-template>
    <xsl:apply-templates select="method"/>
    <xsl:if test="property">
      <xsl:text>.SS Properties&#10;Everybody may read them.&#10;</xsl:text>
      <xsl:apply-templates select="property"/>
    </xsl:if>
  </xsl:template>

  <xsl:template match="method">
    <xsl:variable name="doc">
      <xsl:call-template name="comment"/>
    </xsl:variable>
    <xsl:variable name="all" select="concat(normalize-space($doc), ' @')"/>
    <xsl:variable name="text" select="substring-before($all, ' @')"/>
    <xsl:value-of select="concat('.SS ', @name, '&#10;.SY ', @name, '&#10;')"/>
    <xsl:apply-templates select="." mode="arguments">
      <xsl:with-param name="direction">in</xsl:with-param>
    </xsl:apply-templates>
    <xsl:if test="arg[@direction = 'out']">
      <xsl:text>\[->]&#10;</xsl:text>
      <xsl:apply-templates select="." mode="arguments">
        <xsl:with-param name="direction">out</xsl:with-param>
      </xsl:apply-templates>
    </xsl:if>
    <xsl:text>.YS&#10;.nh&#10;.PP&#10;</xsl:text>
    <xsl:call-template name="described">
      <xsl:with-param name="text" select="$text"/>
    </xsl:call-template>
    <xsl:call-template name="arguments">
      <xsl:with-param name="rest" select="substring-after($all, ' @')"/>
    </xsl:call-template>
    <xsl:for-each select="arg">
      <xsl:if test="not(contains($all, concat(' @', @name, ': ')))">
        <xsl:message terminate="yes"><xsl:value-of select="concat(../@name, ': no comment on the argument ', @name)"/></xsl:message>
      </xsl:if>
    </xsl:for-each>
  </xsl:template>

  <!-- (type name, type name) -->
  <xsl:template match="method" mode="arguments">
    <xsl:param name="direction"/>
    <xsl:text>(</xsl:text>
    <xsl:for-each select="arg[@direction = $direction]">
      <xsl:value-of select="concat(@type, '\ \fI', @name, '\fR')"/>
      <xsl:if test="position() != last()">,&#10;</xsl:if>
    </xsl:for-each>
    <xsl:text>)&#10;</xsl:text>
  </xsl:template>

  <xsl:template match="property">
    <xsl:variable name="doc">
      <xsl:call-template name="comment"/>
    </xsl:variable>
    <xsl:value-of select="concat('.TP&#10;.BR ', @name, ' &quot; (', @type, ', ', @access, ')&quot;&#10;')"/>
    <xsl:call-template name="paragraph">
      <xsl:with-param name="text" select="substring-after(normalize-space($doc), ': ')"/>
    </xsl:call-template>
  </xsl:template>

  <!-- The comment above a member, which begins with its name. -->
  <xsl:template name="comment">
    <xsl:variable name="above" select="preceding-sibling::node()[not(self::text())][1][self::comment()]"/>
    <xsl:if test="not(starts-with(normalize-space($above), concat(@name, ':')))">
      <xsl:message terminate="yes"><xsl:value-of select="concat(@name, ': no comment above it that begins with the name')"/></xsl:message>
    </xsl:if>
    <xsl:value-of select="$above"/>
  </xsl:template>

  <!-- `Name: what it does. [who may call it]` -->
  <xsl:template name="described">
    <xsl:param name="text"/>
    <xsl:variable name="words" select="substring-after($text, ': ')"/>
    <xsl:variable name="what" select="concat(translate(substring($words, 1, 1),
      'abcdefghijklmnopqrstuvwxyz', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'), substring($words, 2))"/>
    <xsl:choose>
      <xsl:when test="contains($what, ' [')">
        <xsl:call-template name="paragraph">
          <xsl:with-param name="text" select="substring-before($what, ' [')"/>
        </xsl:call-template>
        <xsl:text>.PP&#10;Callers: </xsl:text>
        <xsl:call-template name="paragraph">
          <xsl:with-param name="text" select="concat('[', substring-after($what, ' ['))"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="paragraph">
          <xsl:with-param name="text" select="$what"/>
        </xsl:call-template>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- `name: text @name: text @` -->
  <xsl:template name="arguments">
    <xsl:param name="rest"/>
    <xsl:if test="contains($rest, ':')">
      <xsl:variable name="name" select="substring-before($rest, ':')"/>
      <xsl:variable name="arg" select="arg[@name = $name]"/>
      <xsl:if test="not($arg)">
        <xsl:message terminate="yes"><xsl:value-of select="concat(@name, ': a comment on an argument that it does not have: ', $name)"/></xsl:message>
      </xsl:if>
      <xsl:value-of select="concat('.TP&#10;.IR ', $name, ' &quot; (', $arg/@type, ', ', $arg/@direction, ')&quot;&#10;')"/>
      <xsl:call-template name="paragraph">
        <xsl:with-param name="text" select="substring-after(substring-before($rest, ' @'), ': ')"/>
      </xsl:call-template>
      <xsl:call-template name="arguments">
        <xsl:with-param name="rest" select="substring-after($rest, ' @')"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>

  <!-- Lines of an interface's comment: an empty one divides paragraphs, and one that is indented
       further is an entry, with two spaces between its two columns. -->
  <xsl:template name="overview">
    <xsl:param name="lines"/>
    <xsl:param name="text"/>
    <xsl:param name="begun"/>
    <xsl:variable name="line" select="substring-before($lines, '&#10;')"/>
    <xsl:variable name="entry" select="starts-with($line, '      ')"/>
    <xsl:variable name="ends" select="$entry or normalize-space($line) = '' or not(contains($lines, '&#10;'))"/>
    <xsl:if test="$ends and $text != ''">
      <xsl:if test="$begun">.PP&#10;</xsl:if>
      <xsl:call-template name="paragraph">
        <xsl:with-param name="text" select="$text"/>
      </xsl:call-template>
    </xsl:if>
    <xsl:if test="$entry">
      <xsl:variable name="row" select="substring-after($line, '      ')"/>
      <xsl:value-of select="concat('.TP&#10;.B ', substring-before($row, '  '), '&#10;')"/>
      <xsl:call-template name="paragraph">
        <xsl:with-param name="text" select="normalize-space(substring-after($row, '  '))"/>
      </xsl:call-template>
    </xsl:if>
    <xsl:if test="contains($lines, '&#10;')">
      <xsl:variable name="more" select="normalize-space(concat($text, ' ', $line))"/>
      <xsl:call-template name="overview">
        <xsl:with-param name="lines" select="substring-after($lines, '&#10;')"/>
        <xsl:with-param name="text">
          <xsl:if test="not($ends)"><xsl:value-of select="$more"/></xsl:if>
        </xsl:with-param>
        <xsl:with-param name="begun" select="$begun or ($ends and $text != '')"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>

  <!-- `Busy, Unavailable,` -->
  <xsl:template name="check-errors">
    <xsl:param name="names"/>
    <xsl:variable name="name" select="normalize-space(substring-before($names, ','))"/>
    <xsl:if test="contains($names, ',')">
      <xsl:if test="not(document('')/*/d:errors/d:error[@name = $name])">
        <xsl:message terminate="yes"><xsl:value-of select="concat('dbus.xsl does not say what this error means: ', $name)"/></xsl:message>
      </xsl:if>
      <xsl:call-template name="check-errors">
        <xsl:with-param name="names" select="substring-after($names, ',')"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>

  <!-- A paragraph, each sentence on its line, with bold type for what is between grave accents. -->
  <xsl:template name="paragraph">
    <xsl:param name="text"/>
    <xsl:choose>
      <xsl:when test="contains($text, '. ')">
        <xsl:call-template name="inline">
          <xsl:with-param name="text" select="concat(substring-before($text, '. '), '.')"/>
        </xsl:call-template>
        <xsl:text>&#10;</xsl:text>
        <xsl:call-template name="paragraph">
          <xsl:with-param name="text" select="substring-after($text, '. ')"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="inline">
          <xsl:with-param name="text" select="$text"/>
        </xsl:call-template>
        <xsl:text>&#10;</xsl:text>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="inline">
    <xsl:param name="text"/>
    <xsl:variable name="code" select="substring-after($text, '`')"/>
    <xsl:choose>
      <xsl:when test="contains($code, '`')">
        <xsl:call-template name="escape">
          <xsl:with-param name="text" select="substring-before($text, '`')"/>
        </xsl:call-template>
        <xsl:text>\fB</xsl:text>
        <xsl:call-template name="escape">
          <xsl:with-param name="text" select="substring-before($code, '`')"/>
        </xsl:call-template>
        <xsl:text>\fR</xsl:text>
        <xsl:call-template name="inline">
          <xsl:with-param name="text" select="substring-after($code, '`')"/>
        </xsl:call-template>
      </xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="escape">
          <xsl:with-param name="text" select="$text"/>
        </xsl:call-template>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- Hyphens, backslashes, apostrophes and quotation marks mean themselves. -->
  <xsl:template name="escape">
    <xsl:param name="text"/>
    <xsl:variable name="first" select="substring($text, 1, 1)"/>
    <xsl:choose>
      <xsl:when test="$first = ''"/>
      <xsl:when test='$first = "&apos;"'>\(aq</xsl:when>
      <xsl:when test="$first = '&quot;'">\(dq</xsl:when>
      <xsl:when test="$first = '-'">\-</xsl:when>
      <xsl:when test="$first = '\'">\e</xsl:when>
      <xsl:otherwise><xsl:value-of select="$first"/></xsl:otherwise>
    </xsl:choose>
    <xsl:if test="$first != ''">
      <xsl:call-template name="escape">
        <xsl:with-param name="text" select="substring($text, 2)"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>
</xsl:stylesheet>
