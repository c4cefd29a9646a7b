# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of everyday things in other languages (German, Spanish, French, Italian, Portuguese, Russian, Japanese), as
objects of .blend files are called, by their English noun. No word that is an English one too."""

from __future__ import annotations

import unicodedata

_ROWS = """
house: haus casa maison дом
tree: baum arbol arbre albero arvore дерево
table: tisch mesa tavolo стол テーブル
chair: stuhl silla chaise sedia cadeira стул いす
car: auto coche voiture macchina carro машина автомобиль くるま クルマ
window: fenster ventana fenetre finestra janela окно
door: tur tuer puerta porte porta дверь ドア
bed: bett cama letto кровать ベッド
lamp: lampe lampara lampada лампа светильник ランプ
street lamp: strassenlaterne strassenlampe farola lampadaire lampione фонарь
person: mensch persona personne pessoa человек
man: mann hombre homme uomo homem мужчина
woman: frau mujer femme donna mulher женщина
child: nino enfant bambino crianca ребенок
boy: junge chico garcon ragazzo menino мальчик
girl: madchen maedchen chica fille ragazza menina девочка
dog: hund perro chien cachorro собака いぬ イヌ
cat: katze gato gatto кошка кот ねこ ネコ
bird: vogel pajaro oiseau uccello passaro птица とり
horse: pferd caballo cheval cavallo cavalo лошадь
flower: blume fleur fiore цветок はな
mountain: berg montana montagne montagna montanha гора
rock: felsen roca rocher roccia rocha скала
stone: stein piedra pierre pietra pedra камень
wall: wand mauer pared muro стена
roof: dach techo toit tetto telhado крыша
bridge: brucke bruecke puente ponte мост
tower: turm torre башня
church: kirche iglesia eglise chiesa igreja церковь
castle: schloss castillo chateau castello castelo замок
ship: schiff barco bateau nave navio корабль
boat: barca лодка ボート
bottle: flasche botella bouteille bottiglia garrafa бутылка
cup: tasse taza tazza xicara чашка コップ
glass: vaso verre bicchiere стакан
book: buch libro livre livro книга
shelf: regal estante etagere scaffale полка
cabinet: schrank armario armoire armadio шкаф
bench: banco panchina скамейка
fence: zaun cerca cloture recinto забор
fountain: brunnen fuente fontaine fontana fonte фонтан
train: zug tren treno trem поезд
bicycle: fahrrad bicicleta velo велосипед
truck: lastwagen camion camiao грузовик トラック
ball: bola pelota balle palla мяч ボール
box: kiste caja boite scatola caixa коробка
barrel: fass barril tonneau botte barile бочка
bush: busch arbusto buisson cespuglio куст
candle: kerze vela bougie candela свеча
clock: uhr reloj horloge orologio relogio часы
ground: boden suelo pavimento земля
"""
FOREIGN: dict[str, str] = {
    word: english
    for row in _ROWS.split("\n")
    if row
    for english, _, words in [row.partition(": ")]
    for word in words.split()
}
"""Lower-case word without accents: English noun."""


def from_abroad(name: str) -> str | None:
    """The English of a lower-case name that is one such word; None for others."""
    plain = unicodedata.normalize("NFD", name.replace("ß", "ss"))
    bare = "".join(letter for letter in plain if not ("\u0300" <= letter <= "\u036f"))
    return FOREIGN.get(name) or FOREIGN.get(bare) or FOREIGN.get(unicodedata.normalize("NFC", bare))
