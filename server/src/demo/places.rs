//! The three clinics and their cities. Streets and house numbers are combined at random.

/// A clinic and where it stands.
#[derive(Debug)]
pub(super) struct Place {
    /// Trade name.
    pub(super) clinic: &'static str,
    /// City.
    pub(super) city: &'static str,
    /// Federative unit.
    pub(super) uf: &'static str,
    /// Area code.
    pub(super) ddd: &'static str,
    /// Last digit of a CPF's base: the fiscal region in which it was issued.
    pub(super) fiscal_region: u8,
    /// First three digits of the postal codes.
    pub(super) cep_prefix: &'static str,
    /// Base of the CNPJ, without check digits.
    pub(super) cnpj_base: [u8; 12],
    /// Streets.
    pub(super) streets: &'static [&'static str],
    /// Neighbourhoods.
    pub(super) neighbourhoods: &'static [&'static str],
    /// Share of the network's patients, percent.
    pub(super) share_percent: u32,
    /// Region of the council of biomedicine.
    pub(super) biomedicine_region: &'static str,
}

/// The clinics, largest first.
pub(super) const PLACES: [Place; 3] = [
    Place {
        clinic: "Clínica Aurora Jardins",
        city: "São Paulo",
        uf: "SP",
        ddd: "11",
        fiscal_region: b'8',
        cep_prefix: "014",
        cnpj_base: *b"90AUR0RA0001",
        streets: &[
            "Rua das Magnólias",
            "Rua dos Ipês Amarelos",
            "Alameda das Acácias",
            "Rua Bela Aurora",
            "Avenida das Palmeiras",
            "Rua do Mirante",
            "Rua das Orquídeas",
            "Travessa do Lago",
        ],
        neighbourhoods: &[
            "Jardins",
            "Pinheiros",
            "Vila Mariana",
            "Moema",
            "Perdizes",
            "Tatuapé",
            "Santana",
            "Butantã",
        ],
        share_percent: 45,
        biomedicine_region: "1ª Região",
    },
    Place {
        clinic: "Clínica Aurora Praia do Canto",
        city: "Vitória",
        uf: "ES",
        ddd: "27",
        fiscal_region: b'7',
        cep_prefix: "290",
        cnpj_base: *b"90AUR0RA0002",
        streets: &[
            "Rua da Enseada",
            "Rua dos Coqueiros",
            "Avenida do Farol",
            "Rua das Gaivotas",
            "Rua do Manguezal",
            "Rua Praia Clara",
            "Travessa dos Pescadores",
            "Rua das Bromélias",
        ],
        neighbourhoods: &[
            "Praia do Canto",
            "Jardim da Penha",
            "Mata da Praia",
            "Jardim Camburi",
            "Enseada do Suá",
            "Centro",
        ],
        share_percent: 30,
        biomedicine_region: "1ª Região",
    },
    Place {
        clinic: "Clínica Aurora Batel",
        city: "Curitiba",
        uf: "PR",
        ddd: "41",
        fiscal_region: b'9',
        cep_prefix: "804",
        cnpj_base: *b"90AUR0RA0003",
        streets: &[
            "Rua das Araucárias",
            "Rua do Pinhão",
            "Avenida dos Tropeiros",
            "Rua das Hortênsias",
            "Rua do Bosque",
            "Alameda das Camélias",
            "Rua da Serra",
            "Travessa da Geada",
        ],
        neighbourhoods: &["Batel", "Água Verde", "Bigorrilho", "Juvevê", "Cabral", "Portão", "Mercês"],
        share_percent: 25,
        biomedicine_region: "6ª Região",
    },
];
