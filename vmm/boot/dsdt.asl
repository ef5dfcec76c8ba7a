/*
 * The machine as its guest's operating system sees it: one PCI Express root, a serial port, a clock, and
 * the ports that belong to the chipset. Addresses are those of layout.h.
 */
DefinitionBlock ("", "DSDT", 2, "BULKHD", "BHVM", 0x00000001)
{
	/* Soft off: the values that PM1a control takes. */
	Name (_S5, Package (0x04) { 0x05, 0x05, 0x00, 0x00 })

	Scope (_SB)
	{
		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, 0x00)
			Name (_SEG, 0x00)
			Name (_BBN, 0x00)

			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0x0000, 0x0000, 0x0000, 0x0000, 0x0001)
				IO (Decode16, 0x0CF8, 0x0CF8, 0x01, 0x08)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0x0000, 0xC000, 0xFFFF, 0x0000, 0x4000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite,
					0x00000000, 0xC0000000, 0xDFFFFFFF, 0x00000000, 0x20000000)
			})

			/* Of PCI Express's native features the guest may have all: there is no firmware that would. */
			Method (_OSC, 4, NotSerialized)
			{
				CreateDWordField (Arg3, 0x00, CDW1)
				If (LEqual (Arg0, ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766")))
				{
					Return (Arg3)
				}
				Or (CDW1, 0x04, CDW1)
				Return (Arg3)
			}

			/* INTA# of slot n is wired to line 16 + n % 8. */
			Name (_PRT, Package ()
			{
				Package () { 0x0001FFFF, 0x00, 0x00, 17 },
				Package () { 0x0002FFFF, 0x00, 0x00, 18 },
				Package () { 0x0003FFFF, 0x00, 0x00, 19 },
				Package () { 0x0004FFFF, 0x00, 0x00, 20 },
				Package () { 0x0005FFFF, 0x00, 0x00, 21 },
				Package () { 0x0006FFFF, 0x00, 0x00, 22 },
				Package () { 0x0007FFFF, 0x00, 0x00, 23 },
				Package () { 0x0008FFFF, 0x00, 0x00, 16 },
				Package () { 0x0009FFFF, 0x00, 0x00, 17 },
				Package () { 0x000AFFFF, 0x00, 0x00, 18 },
				Package () { 0x000BFFFF, 0x00, 0x00, 19 },
				Package () { 0x000CFFFF, 0x00, 0x00, 20 },
				Package () { 0x000DFFFF, 0x00, 0x00, 21 },
				Package () { 0x000EFFFF, 0x00, 0x00, 22 },
				Package () { 0x000FFFFF, 0x00, 0x00, 23 },
				Package () { 0x0010FFFF, 0x00, 0x00, 16 },
				Package () { 0x0011FFFF, 0x00, 0x00, 17 },
				Package () { 0x0012FFFF, 0x00, 0x00, 18 },
				Package () { 0x0013FFFF, 0x00, 0x00, 19 },
				Package () { 0x0014FFFF, 0x00, 0x00, 20 },
				Package () { 0x0015FFFF, 0x00, 0x00, 21 },
				Package () { 0x0016FFFF, 0x00, 0x00, 22 },
				Package () { 0x0017FFFF, 0x00, 0x00, 23 },
				Package () { 0x0018FFFF, 0x00, 0x00, 16 },
				Package () { 0x0019FFFF, 0x00, 0x00, 17 },
				Package () { 0x001AFFFF, 0x00, 0x00, 18 },
				Package () { 0x001BFFFF, 0x00, 0x00, 19 },
				Package () { 0x001CFFFF, 0x00, 0x00, 20 },
				Package () { 0x001DFFFF, 0x00, 0x00, 21 },
				Package () { 0x001EFFFF, 0x00, 0x00, 22 },
				Package () { 0x001FFFFF, 0x00, 0x00, 23 },
			})

			Device (RTC0)
			{
				Name (_HID, EisaId ("PNP0B00"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
					IRQNoFlags () { 8 }
				})
			}

			Device (COM1)
			{
				Name (_HID, EisaId ("PNP0501"))
				Name (_UID, 0x01)
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x03F8, 0x03F8, 0x01, 0x08)
					IRQNoFlags () { 4 }
				})
			}
		}

		/* What the chipset occupies and no driver may be given. */
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0x00)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xE0000000, 0x00100000)
				IO (Decode16, 0x0600, 0x0600, 0x01, 0x30)
				IO (Decode16, 0x04D0, 0x04D0, 0x01, 0x02)
				IO (Decode16, 0x0092, 0x0092, 0x01, 0x01)
			})
		}
	}
}
